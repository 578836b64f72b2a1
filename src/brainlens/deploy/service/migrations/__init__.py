"""How the tables came to be: Alembic's, run by the server when it starts."""
