"""Those who teach an agent: a language model that is asked, and an embedded one that contrasts runs with labels."""
