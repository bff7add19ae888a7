"""One HTML file for a person who never opens a terminal."""
