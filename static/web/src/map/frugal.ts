/** softwareRendered asks the driver whether WebGL runs on the processor. */
export function softwareRendered(renderer: string): boolean {
  return /swiftshader|llvmpipe|softpipe|software|basic render|microsoft basic/i.test(renderer)
}

export interface Graphics { works: boolean; software: boolean }

/** probe opens a throw-away context: it tells whether a map can be drawn at all. */
export function probe(): Graphics {
  const canvas = document.createElement('canvas')
  const gl = (canvas.getContext('webgl2') ?? canvas.getContext('webgl')) as WebGLRenderingContext | null
  if (!gl) return { works: false, software: false }
  const info = gl.getExtension('WEBGL_debug_renderer_info')
  const renderer = String(info ? gl.getParameter(info.UNMASKED_RENDERER_WEBGL) : gl.getParameter(gl.RENDERER))
  gl.getExtension('WEBGL_lose_context')?.loseContext()
  return { works: true, software: softwareRendered(renderer) }
}
