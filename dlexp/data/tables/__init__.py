"""Tables: from the text of a file to the inputs of a network."""
