"""Whether the clients of paid models count what the provider bills, and ask no more than they must."""
