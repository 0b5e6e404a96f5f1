// What jupyter-builder adds to its own configuration: it reads js_src/lab/index.ts directly, so there
// is no compiled lib/ folder beside the sources. Types are checked by `npm run typecheck`.
module.exports = {
  resolve: { extensions: ['.tsx', '.ts', '.js'] },
  module: {
    rules: [
      {
        test: /\.tsx?$/,
        exclude: /node_modules/,
        loader: 'builtin:swc-loader',
        type: 'javascript/auto',
        options: {
          jsc: {
            parser: { syntax: 'typescript', tsx: true },
            transform: { react: { runtime: 'classic' } },
            target: 'es2022',
          },
        },
      },
    ],
  },
};
