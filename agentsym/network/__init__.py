"""What an agent is: an immutable network of nodes, edges and parameters, and how it is edited, checked and saved."""
