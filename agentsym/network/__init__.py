"""What an agent is: an immutable network of nodes, edges and parameters; editing, checking, saving it."""
