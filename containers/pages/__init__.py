"""Pages for a browser: reports, and the one on which photos are labelled."""
