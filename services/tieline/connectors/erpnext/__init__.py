"""ERPNext: an ERP on the Frappe framework."""
