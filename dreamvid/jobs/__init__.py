"""Films and pictures made, kept and resumed: the job folder and what works in it."""
