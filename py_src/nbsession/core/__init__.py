"""Values and rules that every process of nbsession speaks.

Standard library only, and for schedules croniter and tzlocal, imported late.
"""
