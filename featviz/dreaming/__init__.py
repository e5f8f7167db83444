"""Dreams: a photo in which a network shows what it sees."""
