"""What makes the site: commands that are run and shown, the reference, the drawings."""
