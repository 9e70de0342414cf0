/**
 * Puts each service of the build into a few files, which shortens a cold start: reading and linking
 * a thousand small modules takes longer than running them. Run after `npm run build`; everything
 * else in dist/ (the command lines, the migrations) stays as it is.
 */
import { build } from 'esbuild';

const SERVICES = [
  'functions/relay/main',
  'functions/store/function',
  'functions/fetch/function',
  'functions/fetch/follow-main',
  'functions/upkeep/function',
  'functions/probe/function',
];

/**
 * What stays a package: the framework, since its command and our function must meet in one copy of
 * it; bcrypto, which is native; pg-native, which is not installed and only asked for.
 */
const PACKAGES = ['@google-cloud/functions-framework', 'bcrypto', 'pg-native'];

/** CommonJS packages inside an ES module call for what only CommonJS has. */
const BANNER = `import { createRequire as createRequireOfBundle } from 'node:module';
const require = createRequireOfBundle(import.meta.url);
const __filename = import.meta.filename;
const __dirname = import.meta.dirname;`;

await build({
  entryPoints: SERVICES.map((service) => `${service}.ts`),
  outbase: '.',
  outdir: 'dist',
  chunkNames: 'chunks/[name]-[hash]',
  bundle: true,
  splitting: true,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  external: PACKAGES,
  banner: { js: BANNER },
  legalComments: 'none',
  allowOverwrite: true,
  logLevel: 'warning',
});
