"""From the text of a reply to the option or the number that it names."""
