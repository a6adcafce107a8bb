"""The pages: each file is one place in the menu, each function takes a visit and gives what is to be shown."""
