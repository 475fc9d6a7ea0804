import theme from 'vitepress/theme-without-fonts'
import './style.css'

/** VitePress's own, in the fonts of whoever reads. */
export default theme
