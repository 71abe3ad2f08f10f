import { caseWords } from './words-cases.ts'
import { dangerWords } from './words-dangers.ts'
import { reportWords } from './words-reports.ts'
import { workWords } from './words-work.ts'

/** The words of the duty desk: Chinese first, English second. */
export const words = {
  ...reportWords,
  ...caseWords,
  ...dangerWords,
  ...workWords,
  desk_tabs: ['值守事项', 'Duty desk'],
  tab_reports: ['险情灾情', 'Reports'],
  tab_conflicts: ['改动冲突', 'Conflicts'],
  tab_quarantine: ['待核实', 'To be placed'],
  tab_dangers: ['隐患', 'Hidden dangers'],
  tab_measures: ['制度措施', 'Measures'],
  tab_tasks: ['任务', 'Tasks'],
  tab_notices: ['预警通知', 'Notices'],
  tab_patrols: ['巡查', 'Patrols'],
} as const
export type Word = keyof typeof words
