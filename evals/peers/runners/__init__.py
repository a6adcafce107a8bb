"""Programs that run one library each, inside that library's environment; nothing here imports agentsym."""
