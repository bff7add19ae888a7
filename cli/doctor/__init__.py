"""The doctor: looks at settings, machine, monday.com and database, one check after the other, and changes nothing."""
