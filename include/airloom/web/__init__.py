"""The REST API and the pages inside Airflow's web server."""
