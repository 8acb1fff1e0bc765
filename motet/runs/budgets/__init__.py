"""Budgets at work: what was spent, who may go on, and what a person is asked at a limit."""
