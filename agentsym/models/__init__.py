"""Who answers: the protocol of a language model, the models behind it, the one door to them all.

Import from the modules themselves (`models.door`, `models.resolve`, …): nothing is loaded here, so that
starting stays cheap.
"""
