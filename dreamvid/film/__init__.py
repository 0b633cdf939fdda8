"""The recurrence: where frames come from, where each one starts, and how a film closes."""
