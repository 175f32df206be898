"""How Florence-2 is loaded, fed, taught, and held inside ISO 6346."""
