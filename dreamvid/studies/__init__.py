"""Dreams looked at side by side: sheets, explanations, measures."""
