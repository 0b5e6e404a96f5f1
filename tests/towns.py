"""Widgets of which one sets the options of the next."""

from __future__ import annotations

import ipywidgets as w

TOWNS = {"Germany": ["Berlin", "Köln"], "France": ["Lyon", "Paris", "Köln"], "Italy": ["Rome"]}
DISTRICTS = {"Berlin": ["Mitte", "Pankow"], "Köln": ["Deutz", "Ehrenfeld"], "Lyon": ["Croix"]}


def dropdown(name: str, options: list[str]) -> w.Dropdown:
    return w.Dropdown(description=name, options=options)


def set_towns(country: w.Dropdown, town: w.Dropdown) -> None:
    town.options = TOWNS[country.options[country.index]]


def chain(watched: str = "value") -> tuple[w.Dropdown, w.Dropdown, w.Dropdown]:
    """Return country, town and district, each of which sets the options of the next."""
    country = dropdown("country", list(TOWNS))
    town = dropdown("town", TOWNS["Germany"])
    district = dropdown("district", DISTRICTS["Berlin"])

    def set_districts(_change: object) -> None:
        district.options = DISTRICTS.get(town.options[town.index], ["Centre"])

    country.observe(lambda _: set_towns(country, town), watched)
    town.observe(set_districts, watched)
    return country, town, district
