"""The agent: runs on each machine of the cluster; knows no Django and no database."""
