"""What the API takes and answers with, as its documentation shows it: a module for each kind of thing."""
