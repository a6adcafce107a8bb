"""How the file of an older agentsym becomes that of this one, one step a file in `versions/`.

alembic runs them by code (`database.py`), never by a user's `alembic.ini`.
"""
