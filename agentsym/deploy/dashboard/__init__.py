"""The dashboard of a deployed agent: what is live, how well it does, what waits for a person, and why.

Pages are made on the server and need neither JavaScript nor anything from another host.
"""
