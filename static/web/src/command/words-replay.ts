export const replayWords = {
  title: ['回看', 'As it was'],
  about: ['地图按所选时刻的记录显示；权限按现在的。', 'The map shows what was recorded at that moment, under your present rights.'],
  from: ['从', 'From'], to: ['到', 'To'], at: ['时刻', 'Moment'], step: ['步长', 'Step'], minutes: ['{n} 分钟', '{n} min'], hours: ['{n} 小时', '{n} h'],
  back: ['后退一步（←）', 'One step back (←)'], on: ['前进一步（→）', 'One step on (→)'], play: ['播放（空格）', 'Play (space)'], pause: ['暂停（空格）', 'Pause (space)'],
  entry_before: ['上一条记录', 'The entry before'], entry_next: ['下一条记录', 'The next entry'],
  now: ['回到现在', 'Back to now'], past: ['回看：{at}，不是现在', 'As it was at {at}: not now'],
  log: ['本时段记录', 'Log of the period'], log_n: ['截至此刻 {n} / {all} 条', '{n} of {all} by then'], empty: ['此前没有记录。', 'Nothing was recorded before this.'],
  copy: ['复制全文', 'Copy as text'], copied: ['已复制', 'Copied'], bad_period: ['结束应在开始之后，且不超过 31 天。', 'It ends after it begins, within 31 days.'],
  open: ['查看事件', 'Open the incident'],
  incidents: ['处置中事件', 'Open incidents'], alerts: ['生效预警', 'Warnings in force'], shelters: ['开放场所', 'Open shelters'], unread: ['未能读取', 'could not be read'],
} as const satisfies Record<string, readonly [string, string]>
