"""Values and rules that every process of nbsession speaks. Standard library only."""
