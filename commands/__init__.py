"""What the commands share: flags, how they begin, talk and end."""
