"""The first page of the admin: is all well, what is not, and what comes next."""
