import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

// While developing, what is not the page's own is asked of a server that runs.
const dev = process.env.ONEMAP_DEV
const asked = ['/api', '/tiles', '/ogc', '/basemap', '/sprite', '/healthz', '/readyz', '/signin', '/setup', '/activate', '/enrol', '/account', '/admin', '/assets']

// Chromium 90 is the oldest browser we promise (government desktops on UOS and Kylin).
// MapLibre is the 5.22 CSP build: it starts there unchanged and its worker is a file of
// ours, so the policy needs no blob:. Version 6 would have to be lowered and patched.
export default defineConfig({
  base: '/',
  plugins: [svelte()],
  build: {
    outDir: '.build', // scripts/postbuild.mjs moves the finished whole to static/dist
    emptyOutDir: true,
    target: 'chrome87',
    cssTarget: 'chrome87',
    sourcemap: false,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1200,
    rolldownOptions: {
      // The map, the planner's table, the phone, the duty desk, the command room, and the small one for signing in and administration.
      input: { index: 'index.html', plan: 'plan.html', field: 'field.html', duty: 'duty.html', command: 'command.html', desk: 'desk.html' },
      output: {
        // MapLibre and Svelte change once a year, our code every week: apart, the big part stays cached.
        codeSplitting: { groups: [{ name: 'maplibre', test: /node_modules\/maplibre-gl/ }, { name: 'svelte', test: /node_modules\/(svelte|clsx|esm-env)\// }] },
        entryFileNames: 'assets/[name]-[hash].js',
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  server: dev ? { fs: { strict: false }, proxy: Object.fromEntries(asked.map((path) => [path, { target: dev, changeOrigin: false }])) } : {},
  resolve: process.env.VITEST ? { conditions: ['browser'] } : {},
  test: { environment: 'happy-dom', include: ['test/unit/**/*.test.ts'] },
})
