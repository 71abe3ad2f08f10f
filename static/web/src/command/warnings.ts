/** The shapes of warnings as the server says them. */
export interface Receipts { targets: number; reached: number; acknowledged: number; coverage: number }
export interface Warning {
  id: string
  etag: number
  identifier: string | null
  national_identifier: boolean
  event: string | null
  event_code: string | null
  hazard: string | null
  level: number | null
  status: string | null
  msg_type: string | null
  sender: string | null
  sender_name: string | null
  sent_at: string | null
  effective: string | null
  expires: string | null
  received_at: string | null
  ended_at: string | null
  headline: string | null
  description: string | null
  instruction: string | null
  state: string
  chain: string
  area_desc: string | null
  area_title: string | null
  geometry: GeoJSON.Geometry | null
  exercise: boolean
  receipts: Receipts
  notes: { code: string; path: string; message: string }[]
}
export interface ChainMessage { id: string; alert: string; identifier: string; sender: string; msg_type: string; sent_at: string; received_at: string; by: string }
export interface WarningDetail extends Warning { messages: ChainMessage[]; statement: string }
export interface WarningPage { alerts: Warning[]; counts: { active: number; by_level: Record<string, number> }; next: string | null; statement: string }
export interface Person { contact: string; name: string | null; unit: string | null; post: string | null; role: string; phone_masked: string | null; deputy: string | null }
export interface Village {
  code: string
  name: string
  town: string | null
  share: number
  whole: boolean
  added: boolean
  population: number | null
  households: number | null
  listed: { households: number; persons: number; weak: number; must_move: number } | null
  grids: { code: string; name: string; worker: string }[]
  responsible: Person[]
  state: 'waiting' | 'reached' | 'acknowledged' | 'failed'
  channel: string | null
  at: string | null
  by: string | null
  position: [number, number] | null
}
export interface Place { code: string; name: string }
export interface Targets {
  alert: string
  state: string
  message: ChainMessage | null
  villages: Village[]
  totals: { villages: number; whole: number; grids: number; population: number; households: number }
  listed: Village['listed']
  added: Place[]
  removed: Place[]
  unreached: string[]
  kpi: { targets: number; reached: number; acknowledged: number; coverage: number; persons: number; persons_acknowledged: number; minutes_to_90: number | null; goal: number }
  method: string
  statement: string
}
export interface Outbound {
  outbound: { id: string; kind: string; destination: string; title: string; identifier: string; msg_type: string; state: string; follows: boolean; attempts: number; last_error: string | null; created_at: string; sent_at: string | null; next_at: string | null; by: string }[]
  destinations: { id: string; kind: string; title: string }[]
  statement: string
}
export interface SwapOffer { fix: string; area_title: string | null; message: string; geometry: GeoJSON.Geometry; as_given: { lat: number[]; lon: number[]; units_touched: number }; swapped: { lat: number[]; lon: number[]; units_touched: number } }

/** Chains of warnings, the live one of each first: what came before stands under it. */
export function chains(list: readonly Warning[]): { head: Warning; earlier: Warning[] }[] {
  const by = new Map<string, Warning[]>()
  for (const w of list) by.set(w.chain, [...(by.get(w.chain) ?? []), w])
  const first = (w: Warning) => (w.state === 'active' ? 0 : 1)
  return [...by.values()].map((all) => {
    const sorted = [...all].sort((a, b) => first(a) - first(b) || (b.sent_at ?? '').localeCompare(a.sent_at ?? ''))
    return { head: sorted[0]!, earlier: sorted.slice(1) }
  }).sort((a, b) => first(a.head) - first(b.head) || (first(a.head) === 0 ? (a.head.level ?? 9) - (b.head.level ?? 9) : 0) || (b.head.sent_at ?? '').localeCompare(a.head.sent_at ?? ''))
}

/** The colours of who has heard, on the map and in the list. */
export const heard = { waiting: '#8A97A6', failed: '#D93A4F', reached: '#D9932A', acknowledged: '#2E9E62' } as const

export const warningWords = {
  title: ['预警', 'Warnings'],
  active: ['生效 {n}', 'In force {n}'],
  all: ['全部', 'All'],
  drills: ['含演练', 'With exercises'],
  none: ['目前没有生效的预警', 'No warning is in force'],
  none_all: ['还没有收到过预警', 'No warning has come in yet'],
  earlier: ['此前 {n} 条', '{n} before'],
  choose: ['选择一条预警，查看涉及的村、未送达名单和转发情况', 'Choose a warning to see the villages in its area, who was not reached, and where it went'],
  take: ['接收预警', 'Take a warning in'],
  take_file: ['CAP 文件', 'CAP file'],
  take_hand: ['电话接报', 'By telephone'],
  take_choose: ['选择文件', 'Choose a file'],
  take_drop: ['选择 CAP 1.2 文件，或把报文粘贴在下面', 'Choose a CAP 1.2 file, or paste the message below'],
  take_send: ['接收', 'Take in'],
  taken: ['已接收：{what}', 'Taken in: {what}'],
  over: ['已解除：{what}', 'Cancelled: {what}'],
  swap_title: ['疑似经纬度写反', 'Latitude and longitude look exchanged'],
  swap_given: ['照原样：纬度 {lat}，经度 {lon}，落在本地 {n} 个区划内', 'As given: lat {lat}, lon {lon}; inside {n} of our units'],
  swap_other: ['对调后：纬度 {lat}，经度 {lon}，落在本地 {n} 个区划内（{area}）', 'Exchanged: lat {lat}, lon {lon}; inside {n} of our units ({area})'],
  swap_do: ['对调后接收', 'Exchange and take in'],
  keep_do: ['照原样接收', 'Take it as it is'],
  close_do: ['闭合后接收', 'Close and take in'],
  event: ['预警种类', 'Event'],
  level: ['级别', 'Level'],
  headline: ['标题', 'Headline'],
  hours: ['有效（小时）', 'Valid for (h)'],
  text: ['内容与防御指南', 'What it says'],
  area: ['范围', 'Area'],
  draw: ['在图上画', 'Draw on the map'],
  redraw: ['重画', 'Draw again'],
  drawn: ['已画范围', 'Drawn'],
  drill: ['演练', 'Exercise'],
  sender: ['发布单位', 'Issued by'],
  identifier: ['标识', 'Identifier'],
  national: ['31 位国家标识', 'national identifier'],
  foreign: ['非 31 位国家标识', 'not the national form'],
  sent: ['发布', 'Sent'],
  valid: ['有效期至', 'Valid until'],
  ended: ['结束', 'Ended'],
  notes: ['接收时的提示', 'Noted on reception'],
  statement: ['本系统只转发和叫应，不向公众发布；公众发布由预警信息发布中心负责', 'Passed on and called out here only; release to the public is the 预警信息发布中心’s'],
  targets: ['涉及对象', 'Who is in the area'],
  t_people: ['人口（估算）', 'People (estimate)'],
  t_villages: ['村（社区）', 'Villages'],
  t_whole: ['整村 {n}', '{n} whole'],
  t_grids: ['网格', 'Grids'],
  t_listed: ['名册应转户', 'Listed to move'],
  t_persons: ['{n} 人，老幼残 {w}', '{n} people, {w} weak'],
  kpi: ['送达与确认', 'Reached and confirmed'],
  kpi_line: ['应达 {n} · 送达 {r} · 确认 {a}', '{n} to reach · {r} reached · {a} confirmed'],
  kpi_90: ['90% 用时 {m} 分钟', '90 % after {m} min'],
  kpi_not: ['尚未到 90%', '90 % not yet'],
  kpi_cancel: ['以下为“解除”通知的送达情况', 'This is who has heard that it is over'],
  diff: ['与上一版相比', 'Against the one before'],
  diff_in: ['新进入 {n}', '{n} new'],
  diff_out: ['已移出 {n}', '{n} no longer'],
  f_unreached: ['未送达 {n}', 'Not reached {n}'],
  f_unconfirmed: ['未确认 {n}', 'Not confirmed {n}'],
  f_added: ['新进入 {n}', 'New {n}'],
  f_all: ['全部 {n}', 'All {n}'],
  s_waiting: ['未送达', 'Not reached'],
  s_failed: ['未接通', 'No answer'],
  s_reached: ['已送达', 'Reached'],
  s_acknowledged: ['已确认', 'Confirmed'],
  part: ['占 {p}%', '{p} %'],
  mark_ack: ['确认', 'Confirmed'],
  mark_no: ['未接通', 'No answer'],
  mark_all: ['列表 {n} 个村标为已送达', 'Mark the {n} listed as reached'],
  mark_all_text: ['登记为通过此方式已送达；已确认的不受影响', 'Entered as reached this way; what is confirmed stays'],
  by: ['方式', 'By'],
  marked: ['已登记', 'Entered'],
  nobody: ['没有登记责任人', 'Nobody registered'],
  empty: ['没有符合的村', 'None'],
  forward: ['转发', 'Pass on'],
  forward_none: ['还没有设置转发去处（系统管理 → 设置 → 预警转发去处）', 'No destination is set (administration → settings)'],
  forward_send: ['转发', 'Pass on'],
  forward_ask: ['转发到 {n} 处', 'Pass on to {n}'],
  forward_sent: ['已进入发件箱，失败会自动重试', 'In the outbox; what fails is tried again'],
  o_waiting: ['待发', 'Waiting'],
  o_sent: ['已送出', 'Sent'],
  o_given_up: ['已放弃', 'Given up'],
  o_follows: ['随链自动', 'follows the chain'],
  o_tries: ['第 {n} 次', 'attempt {n}'],
  chain: ['预警链', 'Chain'],
  m_Alert: ['首发', 'Alert'],
  m_Update: ['更新', 'Update'],
  m_Cancel: ['解除', 'Cancel'],
  xml: ['CAP 报文', 'CAP message'],
  calls: ['叫应', 'Call out'],
  fly: ['看范围', 'Show the area'],
  nowhere: ['没有范围', 'No area'],
  back: ['返回列表', 'Back to the list'],
  source: ['来源', 'Source'],
  say: ['内容', 'What it says'],
} as const
export type WarningWord = keyof typeof warningWords
