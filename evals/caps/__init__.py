"""Whether a cap on calls, tokens or dollars holds by the provider's own books, and is spent."""
