"""The platform's side: what turns compiled products into tables, and runs the shop's dbt project."""
