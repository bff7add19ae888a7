"""Repeatable measurements of the sync against a bare reader: `python -m bench`. They report and never fail a build."""
