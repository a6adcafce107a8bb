"""BANKING77: the offline student and teacher on real messages to a bank, with ablations."""
