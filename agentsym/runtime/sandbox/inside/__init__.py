"""What runs on the other side: programs that are started with the interpreter alone and import nothing of agentsym.

Their source is handed to the interpreter as text (`levels.py`), so they work where no other user may read the folder
that agentsym lies in; among themselves they import by their usual names.
"""
