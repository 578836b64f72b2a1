"""The web app: what a reading room leaves open all day. `app.py` puts its parts together."""
