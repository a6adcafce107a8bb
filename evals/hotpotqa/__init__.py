"""HotPotQA without passages, as the paper of agent symbolic learning has it: two nodes answer from memory."""
