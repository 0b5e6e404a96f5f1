"""`state.location`: the page's URL as traits, and their sync to widgets."""
