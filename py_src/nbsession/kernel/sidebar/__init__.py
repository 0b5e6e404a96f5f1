"""The kernel's part of JupyterLab's sidebar: reports and requests."""
