"""Foundations: one SQLAlchemy engine, the tables, the migrations, and search terms for full text."""
