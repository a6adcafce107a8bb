"""How a deployed agent learns from its traces, and how a better version takes the place of the live one.

Feedback becomes rows, rows a candidate, and the candidate has to pass policy, shadow evaluation, perhaps a person and
a canary; once live it is watched, and taken back when it does worse.
"""
