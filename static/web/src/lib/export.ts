import { app } from './app.svelte.ts'
import { dateTime } from './format.ts'
import { scaleBar } from './scale.ts'
import { inkOn, shapeBody } from './symbols.ts'

const FONT = '"PingFang SC","Noto Sans CJK SC","Microsoft YaHei",sans-serif'

interface Row { title: string; draw: (c: CanvasRenderingContext2D, x: number, y: number) => void; steps: { title: string; color: string }[] }

/** path2D turns the drawings of the sprite into a canvas path: all of them are paths, rects or circles. */
function path2D(body: string): Path2D {
  const out = new Path2D()
  const attr = (tag: string, name: string) => Number(new RegExp(`${name}='([^']*)'`).exec(tag)?.[1] ?? 0)
  for (const tag of body.match(/<[^>]+>/g) ?? []) {
    const d = /\bd='([^']*)'/.exec(tag)?.[1]
    if (d) out.addPath(new Path2D(d))
    else if (tag.startsWith('<rect')) out.rect(attr(tag, 'x'), attr(tag, 'y'), attr(tag, 'width'), attr(tag, 'height'))
    else if (tag.startsWith('<circle')) out.arc(attr(tag, 'cx'), attr(tag, 'cy'), attr(tag, ' r'), 0, 7)
  }
  return out
}

function legendRows(): Row[] {
  const rows: Row[] = []
  for (const id of app.visibleLayers) {
    const layer = app.layer(id)
    const entry = app.legend[id]
    if (!layer || !entry || layer.count === 0 || (app.camera?.zoom ?? 0) < layer.min_zoom - 0.01) continue
    const ladder = app.laddersOf(layer).find((l) => l.value === null || (app.settings[id]?.kinds?.includes(l.value) ?? true))
    rows.push({
      title: layer.title,
      steps: (ladder?.steps ?? []).filter((s) => app.settings[id]?.levels?.includes(s.level) ?? true).map((s) => ({ title: s.title, color: app.colorOf(s) })),
      draw: (c, x, y) => {
        c.save()
        c.translate(x, y)
        if (entry.geometry === 'point') {
          c.scale(18 / 28, 18 / 28)
          const p = path2D(shapeBody(entry.shape))
          c.fillStyle = '#fff'
          c.strokeStyle = 'rgba(24,32,42,.6)'
          c.lineWidth = 1.6
          c.stroke(p)
          c.fill(p)
          c.translate(14, 14)
          c.scale(0.86, 0.86)
          c.translate(-14, -14)
          c.fillStyle = entry.color
          c.fill(p)
        } else if (entry.geometry === 'line') {
          c.strokeStyle = entry.color
          c.lineWidth = Math.min(3, entry.width ?? 2)
          c.setLineDash((entry.dash ?? []).map((n) => n * 1.4))
          c.beginPath()
          c.moveTo(0, 13)
          c.lineTo(6, 6)
          c.lineTo(11, 11)
          c.lineTo(18, 4)
          c.stroke()
        } else {
          c.globalAlpha = 0.34
          c.fillStyle = entry.color
          c.fillRect(1, 3, 16, 12)
          c.globalAlpha = 1
          c.strokeStyle = entry.color
          c.lineWidth = 1.4
          c.strokeRect(1.700, 3.700, 14.600, 10.600)
        }
        c.restore()
      },
    })
  }
  return rows
}

/**
 * compose lays the map, its title, legend, scale and origin onto one sheet: a picture
 * that leaves the screen must say what it shows, of when, and that it is not approved.
 */
export async function composePicture(): Promise<HTMLCanvasElement> {
  const engine = app.engine
  if (!engine || !app.camera) throw new Error(app.t('loading_map'))
  const map = await engine.snapshot()
  const ratio = map.width / Math.max(1, engine.map.getContainer().clientWidth)
  const width = map.width / ratio, height = map.height / ratio
  const rows = legendRows()
  const css = getComputedStyle(document.documentElement)
  const token = (name: string) => css.getPropertyValue(name).trim()
  const ink = token('--t'), muted = token('--m'), paper = token('--bg'), line = token('--l')
  const side = 232, head = 56, foot = 34
  const canvas = document.createElement('canvas')
  const total = { w: width + side, h: head + Math.max(height, rows.reduce((s, r) => s + 26 + Math.ceil(r.steps.length / 2) * 20, 60)) + foot }
  canvas.width = Math.round(total.w * ratio)
  canvas.height = Math.round(total.h * ratio)
  const c = canvas.getContext('2d')
  if (!c) throw new Error('canvas')
  c.scale(ratio, ratio)
  c.fillStyle = paper
  c.fillRect(0, 0, total.w, total.h)
  c.drawImage(map, 0, head, width, height)

  c.textBaseline = 'middle'
  const write = (text: string, x: number, y: number, size: number, color: string, weight = 400, align: CanvasTextAlign = 'left', max?: number) => {
    c.font = `${weight} ${size}px ${FONT}`
    c.fillStyle = color
    c.textAlign = align
    c.fillText(text, x, y, max)
  }
  write(`${app.placeTitle} · ${app.t('subtitle')}`, 20, head / 2, 20, ink, 600)
  write(app.t('as_of', { time: app.asOf }), total.w - 20, head / 2, 13, muted, 400, 'right')
  c.strokeStyle = line
  c.strokeRect(0.5, head - 0.5, total.w - 1, height + 1)
  // Who took the picture away, and when, stays in it: lightly, across all of it.
  const marks = [app.catalogue?.watermark ?? '', app.signature()].filter(Boolean)
  if (marks.length > 0) {
    c.save()
    c.beginPath()
    c.rect(0, head, width, height)
    c.clip()
    c.globalAlpha = 0.08
    let n = 0
    for (let y = 80; y < height + 200; y += 170) for (let x = 60; x < width + 200; x += 280) {
      c.save()
      c.translate(x, head + y)
      c.rotate(-0.42)
      const mark = marks[n++ % marks.length]!
      write(mark, 0, 0, mark.length > 8 ? 15 : 22, ink, 600, 'center')
      c.restore()
    }
    c.restore()
  }
  let y = head + 24
  write(app.t('legend'), width + 20, y, 14, ink, 600)
  y += 24
  for (const row of rows) {
    row.draw(c, width + 20, y - 9)
    write(row.title, width + 48, y, 13, ink, 400, 'left', side - 64)
    y += 22
    row.steps.forEach((step, i) => {
      const x = width + 48 + (i % 2) * 86
      const sy = y + Math.floor(i / 2) * 20
      c.fillStyle = step.color
      c.fillRect(x, sy - 5, 14, 10)
      c.strokeStyle = inkOn(step.color) === '#FFFFFF' ? step.color : muted
      c.lineWidth = 0.6
      c.strokeRect(x, sy - 5, 14, 10)
      write(step.title, x + 20, sy, 12, muted, 400, 'left', 62)
    })
    if (row.steps.length > 0) y += Math.ceil(row.steps.length / 2) * 20
    y += 4
  }
  const bar = scaleBar(app.camera.lat, app.camera.zoom, 140)
  const by = total.h - foot / 2
  c.strokeStyle = ink
  c.lineWidth = 1.5
  c.beginPath()
  c.moveTo(20, by - 4)
  c.lineTo(20, by + 4)
  c.lineTo(20 + bar.pixels, by + 4)
  c.lineTo(20 + bar.pixels, by - 4)
  c.stroke()
  write(bar.label, 28 + bar.pixels, by, 12, ink)
  // North is always up here, but a sheet of paper does not know that.
  c.fillStyle = ink
  c.beginPath()
  c.moveTo(110 + bar.pixels, by - 9)
  c.lineTo(115 + bar.pixels, by + 7)
  c.lineTo(110 + bar.pixels, by + 3)
  c.lineTo(105 + bar.pixels, by + 7)
  c.fill()
  write('N', 122 + bar.pixels, by, 12, ink, 600)
  const origin = `${app.t('attribution')} · ${app.about.map_approval ? app.t('attribution_approval', { n: app.about.map_approval }) : app.t('attribution_unapproved')} · ${app.t('printed_at', { time: dateTime(Date.now()) })}${app.me.signed_in ? ` · ${app.t('taken_by', { who: [app.me.name, app.me.username].filter(Boolean).join(' ') })}` : ''}`
  write(origin, total.w - 20, by, 12, muted, 400, 'right', total.w - 200 - bar.pixels)
  return canvas
}

const toBlob = (canvas: HTMLCanvasElement) => new Promise<Blob>((resolve, reject) => canvas.toBlob((b) => (b ? resolve(b) : reject(new Error('png'))), 'image/png'))

export async function exportPNG(): Promise<void> {
  if (app.exporting) return
  app.exporting = true
  app.tell(app.t('export_png_busy'))
  try {
    const blob = await toBlob(await composePicture())
    const stamp = dateTime(Date.now(), true).replace(/[-: ]/g, '')
    const name = `${app.t('product')}-${app.placeTitle}-${stamp}.png`
    const a = document.createElement('a')
    const url = URL.createObjectURL(blob)
    a.href = url
    a.download = name
    a.click()
    window.setTimeout(() => URL.revokeObjectURL(url), 10_000)
    app.tell(app.t('export_png_done', { name }))
  } catch (error) {
    app.tell(app.t('export_png_failed', { why: error instanceof Error ? error.message : String(error) }), 'error')
  } finally {
    app.exporting = false
  }
}

/** print puts the picture in the page first: a WebGL canvas is blank on paper. */
export async function print(): Promise<void> {
  app.tell(app.t('print_busy'))
  try {
    const canvas = await composePicture()
    app.printing = { url: canvas.toDataURL('image/png'), width: canvas.width, height: canvas.height }
    const image = await new Promise<HTMLImageElement>((resolve, reject) => {
      requestAnimationFrame(() => {
        const img = document.querySelector<HTMLImageElement>('.print-sheet img')
        if (!img) { reject(new Error('print')); return }
        if (img.complete) resolve(img)
        else { img.onload = () => resolve(img); img.onerror = () => reject(new Error('print')) }
      })
    })
    if (image) { app.toast = null; window.print() }
  } catch (error) {
    app.tell(app.t('export_png_failed', { why: error instanceof Error ? error.message : String(error) }), 'error')
  }
}
