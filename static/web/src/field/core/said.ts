import type { Said, Words } from '../types.ts'

/** A Refusal says to him what did not happen, in his words; nothing was lost by it. */
export class Refusal extends Error implements Said {
  constructor(readonly code: string, readonly words: Words) { super(words.zh); this.name = 'Refusal' }
}

const table = {
  full: ['手机存储已满，这一条没有存下。以前存的都在，请先清理手机再试。', 'The phone is full: this was not kept. Everything before is still there; free some space and try again.'],
  gone: ['这一条不在手机上了。', 'This is no longer on the phone.'],
  already_sent: ['已经发出去了，不能当没有过。可以再补一条改正。', 'It has left the phone already. Correct it with another entry.'],
  offline: ['现在没有网络。', 'There is no network now.'],
  sign_in: ['请先登录(请乡镇出一个二维码)。', 'Sign in first: ask the township for a code.'],
  enrol: ['二维码已失效，请乡镇再出一个。', 'The code is no longer valid: ask the township for a new one.'],
  pending: ['还有没报上去的，先报完或导出再退出。', 'Some entries are not sent yet.'],
  photos_many: ['照片已到上限。', 'No more photos can be added.'],
  photo_bad: ['这个文件不是能打开的照片。', 'This file is not a photo that can be opened.'],
  password_short: ['密码至少 8 位。', 'The password needs 8 characters or more.'],
  password_wrong: ['密码不对，或文件已损坏。', 'The password is wrong, or the file is damaged.'],
  file_bad: ['这不是导出的待上报文件。', 'This is not a file of an exported outbox.'],
  file_cut: ['文件不完整，没有导入。', 'The file is incomplete; nothing was taken in.'],
  pin_short: ['密码须为 6 位以上数字。', 'The PIN needs 6 digits or more.'],
  pin_wrong: ['密码不对。', 'The PIN is wrong.'],
  pin_wiped: ['密码错了 10 次，手机上的包户名单已清除。联网后可以重新取。', 'Ten wrong PINs: the list was wiped from this phone. Get it again when online.'],
  none_here: ['手机上还没有这份名单，请联网后再取。', 'The list is not on this phone yet: get it when online.'],
  server: ['县里的服务现在不可用，稍后再试。', 'The server is not available now; try later.'],
  pack_changed: ['离线地图刚更新过，请再下载一次。', 'The pack was made anew meanwhile; download it again.'],
  draft_open: ['有没写完的，写完再更新。', 'A draft is open: finish it first.'],
} as const
export type Code = keyof typeof table

export const no = (code: Code): Refusal => new Refusal(code, { zh: table[code][0], en: table[code][1] })
export const wordsOf = (code: Code): Words => ({ zh: table[code][0], en: table[code][1] })
