"""HumanEval as the paper of agent symbolic learning has it: one node writes a function, another one corrects it."""
