// What JupyterLab and Voilà load with every page: nothing. The panel brings its styles with it, see
// plugins/styledPanel.ts.
